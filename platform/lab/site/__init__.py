"""The course as web pages that need neither a server nor the internet (`./lab site`)."""
