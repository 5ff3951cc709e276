"""Cases of files as people have them."""
