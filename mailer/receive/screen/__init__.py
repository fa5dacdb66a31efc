"""What postscreen(8) does: clients that nobody knows are tested before they may talk to the SMTP server."""
