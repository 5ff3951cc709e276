"""A folder a package, plus the whole way in e2e/ and measurements in bench/."""
