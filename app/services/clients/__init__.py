"""Who is calling: machine clients, how they prove who they are, how much they may ask."""
