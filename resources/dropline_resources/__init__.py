"""What Dropline shows and ships: icons, translations, the web page, sample files. Data only."""
