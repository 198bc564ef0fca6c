"""Records that all three packages and clients of the service share: what is read and written as JSON.

Stands below everything: loads msgspec and the standard library, and imports nothing outside this
package. So programs that only talk to the service load neither `models` nor `service`, names that they may use for
their own.
"""
