"""Every command of ./lab; all use of click is in here."""
