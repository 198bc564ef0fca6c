"""Programs on the machines of a Ray cluster: the second `al_loop.runtime.executor.Executor`.

The service itself never imports Ray. A driver, which is a supervised subprocess as a local training is, talks to the
cluster; where Ray's client ends the driver because the cluster is gone, labels and predictions go on.

    RayExecutor (service)  ->  driver (subprocess)  ->  RemoteProgram (detached actor)  ->  program (its subprocess)
"""

from al_loop_app import find_packages

find_packages()  # the cluster's workers are none of our programs, and import this first
