"""For authors of plug-ins: fakes, scripted peers, and a contract suite for each interface."""
