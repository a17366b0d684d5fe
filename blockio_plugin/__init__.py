"""Block I/O for Trinity: advertise, ask for and serve blocks by view range."""
