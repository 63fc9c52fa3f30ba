"""Stand-ins for `jaxpot.models.base.Network`."""

from jaxpot.models.base import Outputs


class Memoryless:
    """A network without memory, of which only `apply` is left to say."""

    recurrent = False

    def initial_carry(self, batch):
        del batch
        return ()

    def step(self, variables, observation, carry):
        return Outputs(*self.apply(variables, observation)), carry
