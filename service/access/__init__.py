"""Who may ask: tokens and roles, and the pages of other sites."""
