"""Which class is each pixel of? `task` and `tiles` work without torch; `network` is what training adds."""
