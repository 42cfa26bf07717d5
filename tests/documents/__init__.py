"""Tests of the documents, and of the site that is built of them."""
