"""Does a judge pay for any hack?"""
