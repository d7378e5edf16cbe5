"""How many marketing mails the whole house sends in a day, where that is bounded: without a web server of its own."""
