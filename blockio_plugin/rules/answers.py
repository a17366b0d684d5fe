"""What makes an answer an offence: the checks that a receiver runs before it uses one."""
from typing import Sequence

from typing_extensions import Protocol

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, BlocksByView, Offence
from blockio_plugin.rules.views import ViewRange


class Asked(Protocol):
    """What was asked for; a ``Request`` and a ``GetBlocksByView`` both say it."""

    @property
    def views(self) -> ViewRange:
        """The views asked for."""

    @property
    def max_blocks(self) -> int:
        """The most blocks asked for."""


def check_answer(asked: Asked, answer: BlocksByView, blocks: Sequence[Block]) -> None:
    """
    Check an answer against what was asked (wire protocol, "BlocksByView" and "Offences").

    :param blocks: the blocks of the answer, decoded, in its order
    :raise Offence: it is no prefix of what was asked, or its blocks are too many, outside the
        covered prefix, out of order, or two at one view
    """
    covered = answer.covered
    if covered.start != asked.views.start or covered.stop > asked.views.stop:
        raise Offence(f"answer covers {covered}, which is no prefix of {asked.views}")
    if len(blocks) > min(asked.max_blocks, MAX_ANSWER_BLOCKS):
        raise Offence(f"{len(blocks)} blocks where {asked.max_blocks} were asked for")
    previous = covered.start - 1
    for view in [block.view for block in blocks]:
        if view <= previous:
            raise Offence(
                f"block at view {view} does not ascend from view {previous}"
                if previous >= covered.start
                else f"block at view {view} below the covered views {covered}"
            )
        previous = view
    if previous >= covered.stop:
        raise Offence(f"block at view {previous} past the covered views {covered}")
