"""Joins the facts of many files into one `System`: names, types, calls, enclosures, effects."""
