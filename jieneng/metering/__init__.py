"""What is true of meters. Pure: no clock, no socket, no event loop, no files, no numpy."""
