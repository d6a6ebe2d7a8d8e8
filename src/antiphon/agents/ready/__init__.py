"""Ready tasks: an e-mail address, a phone number, a date and time, a yes or no, a choice from a list."""
