"""Where are objects, and of which class? `task` works without torch; `network` is what training adds."""
