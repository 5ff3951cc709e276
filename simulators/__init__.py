"""An independent witness: meters that behave, and that misbehave on demand."""
