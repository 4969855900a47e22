"""The report of one study: a page that holds all of it."""
