"""CivilDIY: four services behind a gateway, and the parts they share."""
