"""One thin module per role: builds the parts of a service and introduces them to each other."""
