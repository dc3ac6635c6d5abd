"""Starts an unmodified program: launch.py asyncio|uvloop|blocking plain|broker PROGRAM ARGUMENT...

What it does before the program starts is all that a user has to do for a whole program.
"""
import runpy
import sys


def prepare(way, place):
    if way == "uvloop":
        import uvloop
        uvloop.install()
    if place == "broker" and way == "blocking":
        import netbroker.blocking
        netbroker.blocking.install()
    elif place == "broker":
        import netbroker
        netbroker.install()


way, place, program = sys.argv[1:4]
sys.argv[:] = sys.argv[3:]
sys.path[0:1] = [program.rpartition("/")[0]]
prepare(way, place)
runpy.run_path(program, run_name="__main__")
