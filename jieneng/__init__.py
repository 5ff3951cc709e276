"""节能: metering of public buildings, and whether they meet the plan."""
