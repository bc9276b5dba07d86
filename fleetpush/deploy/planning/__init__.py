"""What a deploy could at best take, and what it will: pure figures, nobody is connected to."""
