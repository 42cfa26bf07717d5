"""The pages of orders; each module is a part of the site."""
