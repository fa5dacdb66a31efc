"""From master.cf to running services: the plan (pure), the sockets, and the layout that runs it."""
