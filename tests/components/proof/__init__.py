"""Random schedules over the real plan, what must hold after each step of them, and ways to break it."""
