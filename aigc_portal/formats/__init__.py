"""How moments are written where Django writes them, as in the console: like everywhere else in the portal."""
