"""Would anyone have been paged: metrics scraped while a service fails, and its alert rules over them."""
