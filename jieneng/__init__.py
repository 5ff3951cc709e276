"""节能 (jieneng): meter public buildings and report whether they meet the plan."""
