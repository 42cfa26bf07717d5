"""The pages of orders, for people with a browser: each module a part of the site."""
