"""Random trees of blocks, imported in random batches with restarts in between."""
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockHeaderAPI
from eth.chains.base import Chain
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.exceptions import HeaderNotFound
from eth_typing import BlockNumber
from hypothesis import given, settings
from hypothesis import strategies as st
import rlp

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.gap_filler import GapFiller
from blockio_plugin.node.stored_blocks import NotStored, StoredBlocks
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.block_tree import BlockTree

MOST_BLOCKS = 24
"""Blocks of a tree, most. Branches of ten blocks differ in all ways in which longer ones do."""

EXAMPLES = 3
"""Trees here are cheap: this many times the examples of the profile."""

UNCLE_DEPTH = 6
"""Generations that an uncle's parent lies back, most (yellow paper)."""

TREE = BlockTree()


class Growth(NamedTuple):
    """
    One more block: on which of the blocks so far, the latest first, or of the ends of branches; how
    heavy; whether it names an uncle where there is one; whether what was not imported yet is
    imported with it; whether the importer is made anew then; and what of the tree comes once more.
    """

    parent: int
    is_at_end: bool
    difficulty: int
    has_uncle: bool
    ends_batch: bool
    restarts: bool
    again: Optional[int]


growths = st.lists(
    st.builds(
        Growth,
        parent=st.integers(0, MOST_BLOCKS),
        # Seldom true alone would seldom make long branches.
        is_at_end=st.sampled_from((True, True, True, False)),
        difficulty=st.sampled_from((1, 1, 2, 3, 10)),
        has_uncle=st.booleans(),
        ends_batch=st.booleans(),
        restarts=st.sampled_from((False, False, True)),
        again=st.none() | st.integers(0, MOST_BLOCKS),
    ),
    min_size=1,
    max_size=MOST_BLOCKS,
)


class Tree:
    """Grows, and knows which block the head has to be."""

    def __init__(self, root: BlockHeaderAPI, score: int) -> None:
        self.blocks: List[BlockAPI] = []
        self.head = root
        self.scores = {root.hash: score}
        self._headers = [root]
        self._uncles: Dict[bytes, Set[bytes]] = {}

    def grow(self, growth: Growth) -> BlockAPI:
        parent = self._choose_parent(growth)
        uncle = self._find_uncle(parent) if growth.has_uncle else None
        block = TREE.add(parent, growth.difficulty, () if uncle is None else (uncle,))
        self.blocks.append(block)
        self._headers.append(block.header)
        self._uncles[block.hash] = {uncle.hash for uncle in block.uncles}
        return block

    def _choose_parent(self, growth: Growth) -> BlockHeaderAPI:
        candidates = self._headers
        if growth.is_at_end:
            parents = {header.parent_hash for header in self._headers}
            candidates = [header for header in self._headers if header.hash not in parents]
        return candidates[-1 - growth.parent % len(candidates)]

    def _line(self, header: BlockHeaderAPI) -> List[BlockHeaderAPI]:
        """A header and its ancestors, the newest first."""
        by_hash = {known.hash: known for known in self._headers}
        line = [header]
        while line[-1].parent_hash in by_hash:
            line.append(by_hash[line[-1].parent_hash])
        return line

    def _find_uncle(self, parent: BlockHeaderAPI) -> Optional[BlockHeaderAPI]:
        line = self._line(parent)[: UNCLE_DEPTH + 1]
        known: Set[bytes] = {header.hash for header in line}
        known.update(*(self._uncles.get(header.hash, ()) for header in line))
        grandparents = {header.hash for header in line[1:]}
        for header in self._headers:
            if header.parent_hash in grandparents and header.hash not in known:
                return header
        return None

    def imported(self, block: BlockAPI) -> None:
        """The block is taken: the heaviest is the head, of equals the one that came first."""
        score = self.scores[block.header.parent_hash] + block.header.difficulty
        self.scores[block.hash] = score
        if score > self.scores[self.head.hash]:
            self.head = block.header


class Reference:
    """py-evm by itself, as long as it does not fail on its own record of gaps."""

    def __init__(self) -> None:
        self.chain: Optional[Chain] = self._begin()

    @staticmethod
    def _begin() -> Chain:
        db = AtomicDB()
        TREE.begin_chain(db)
        return TREE.chain_class(db)

    def take(self, block: BlockAPI) -> bool:
        if self.chain is None:
            return False
        try:
            self.chain.import_block(block)
        except HeaderNotFound as err:
            assert "No canonical header" in str(err)
            self.chain = None
            return False
        return True


def new_importer(db: AtomicDatabaseAPI) -> BlockImporter:
    return BlockImporter(db, TREE.chain_class, NumberScheme())


def encode(blocks: Sequence[BlockAPI]) -> List[bytes]:
    return [rlp.encode(block) for block in blocks]


def scan(db: AtomicDatabaseAPI, head_number: int) -> Tuple[List[int], List[int]]:
    """The numbers up to the head that have a canonical header, and a whole canonical block."""
    stored = StoredBlocks(db)
    headers, blocks = [], []
    for number in range(head_number + 1):
        try:
            header = stored.fetch_canonical_header(number)
            headers.append(number)
            stored.fetch_block(header)
            blocks.append(number)
        except NotStored:
            continue
    return headers, blocks


def held_by(gaps: Tuple[Sequence[Tuple[int, int]], int]) -> List[int]:
    """The numbers that a record of gaps counts as held."""
    holes, tip_child = gaps
    return [n for n in range(tip_child) if not any(low <= n <= high for low, high in holes)]


def check(db: AtomicDatabaseAPI, tree: Tree, missing: Sequence[BlockAPI] = ()) -> None:
    """
    What the database says of itself is true, and the head is the right one.

    :param missing: blocks that it was never given, though without transactions there is nothing of
        them that it could lack once it has their headers
    """
    chaindb = ChainDB(db)
    assert chaindb.get_canonical_head() == tree.head
    headers, blocks = scan(db, tree.head.block_number)
    blocks = [number for number in blocks if number not in {block.number for block in missing}]
    assert held_by(chaindb.get_header_chain_gaps()) == headers
    assert held_by(chaindb.get_chain_gaps()) == blocks
    reader = ChainReader(db, NumberScheme())
    advert = reader.fetch_availability()
    assert [view for views in advert.ranges for view in range(*views)] == blocks
    for views in advert.ranges:
        request = GetBlocksByView(1, views.start, views.length, MAX_ANSWER_BLOCKS)
        answer = reader.fetch_blocks(request)
        assert answer.covered == views
        assert len(answer.blocks) == views.length


def check_whole(db: AtomicDatabaseAPI, tree: Tree) -> None:
    """The same, and the canonical chain leads from genesis to the head without a gap."""
    check(db, tree)
    chaindb = ChainDB(db)
    gapless = ((), tree.head.block_number + 1)
    assert chaindb.get_header_chain_gaps() == chaindb.get_chain_gaps() == gapless
    parent_hash = TREE.genesis.parent_hash
    for number in range(tree.head.block_number + 1):
        header = chaindb.get_canonical_block_header_by_number(BlockNumber(number))
        assert header.parent_hash == parent_hash
        parent_hash = header.hash
    assert parent_hash == tree.head.hash


def check_goes_on(db: AtomicDatabaseAPI, tree: Tree) -> None:
    """Every block so far can be built on: a fresh importer takes a child of it that wins."""
    for parent in (tree.head, *(block.header for block in tree.blocks[-2:])):
        weight = 1 + tree.scores[tree.head.hash] - tree.scores[parent.hash]
        child = TREE.add(parent, weight)
        result = new_importer(db).import_blocks(encode([child])).result
        assert result.failure is None
        assert result.head.hash == child.hash
        tree.imported(child)


more_examples = settings(max_examples=EXAMPLES * settings().max_examples)


@more_examples
@given(growths)
def test_imports_what_py_evm_imports(steps: Sequence[Growth]) -> None:
    tree, reference = Tree(TREE.genesis, TREE.genesis.difficulty), Reference()
    db = AtomicDB()
    TREE.begin_chain(db)
    importer = new_importer(db)
    batch: List[BlockAPI] = []
    for index, step in enumerate(steps):
        batch.append(tree.grow(step))
        if step.again is not None:
            batch.append(tree.blocks[step.again % len(tree.blocks)])
        if not step.ends_batch and index < len(steps) - 1:
            continue
        result = importer.import_blocks(encode(batch)).result
        assert result.failure is None
        for block in batch:
            tree.imported(block)
            is_taken = reference.take(block)
            assert not is_taken or reference.chain is not None
        if reference.chain is not None:
            assert reference.chain.get_canonical_head() == tree.head
        assert result.head == (tree.head.block_number, tree.head.block_number, tree.head.hash)
        check_whole(db, tree)
        if step.restarts:
            importer = new_importer(db)
        batch = []
    check_goes_on(db, tree)
    check_whole(db, tree)


@more_examples
@given(growths, st.integers(1, MOST_BLOCKS))
def test_goes_on_after_py_evm(steps: Sequence[Growth], stock_steps: int) -> None:
    """py-evm by itself has imported the first blocks, as far as it could, into our database."""
    tree = Tree(TREE.genesis, TREE.genesis.difficulty)
    db = AtomicDB()
    TREE.begin_chain(db)
    stock = TREE.chain_class(db)
    refused: List[BlockAPI] = []
    for step in steps[:stock_steps]:
        block = tree.grow(step._replace(has_uncle=False))
        try:
            stock.import_block(block)
        except HeaderNotFound:
            refused.append(block)
        except Exception as err:
            # Its parent was refused.
            assert "before importing its parent" in str(err)
            refused.append(block)
        else:
            tree.imported(block)
    importer = new_importer(db)
    check_whole(db, tree)
    result = importer.import_blocks(encode(refused)).result
    assert (result.failure, result.imported) == (None, len(refused))
    for block in refused:
        tree.imported(block)
    check_whole(db, tree)
    for step in steps[stock_steps:]:
        block = tree.grow(step)
        assert importer.import_blocks(encode([block])).result.failure is None
        tree.imported(block)
    check_goes_on(db, tree)
    check_whole(db, tree)


class Part(NamedTuple):
    """What is done to a chain that begins at a checkpoint: a block on it, or on genesis, or one
    below it that is missing."""

    growth: Growth
    is_low: bool
    fills: bool


@more_examples
@given(
    st.integers(1, 8),
    st.lists(
        st.builds(
            Part,
            growth=growths.map(lambda steps: steps[0]._replace(has_uncle=False)),
            is_low=st.sampled_from((False, False, True)),
            fills=st.booleans(),
        ),
        max_size=MOST_BLOCKS,
    ),
)
def test_gaps_stay_true_above_a_checkpoint(checkpoint: int, parts: Sequence[Part]) -> None:
    trunk = TREE.add_line(TREE.genesis, *(10,) * checkpoint)
    top, score = trunk[-1].header, 1 + 10 * checkpoint + 10 * MOST_BLOCKS
    db = AtomicDB()
    TREE.begin_chain(db)
    ChainDB(db).persist_checkpoint_header(top, score)
    # Blocks on genesis never weigh enough to win.
    high, low = Tree(top, score), Tree(TREE.genesis, 1)
    importer = new_importer(db)
    filler = GapFiller(db, TREE.chain_class(db), NumberScheme())
    missing = list(trunk)
    for part in parts:
        tree = low if part.is_low else high
        block = tree.grow(part.growth)
        result = importer.import_blocks(encode([block])).result
        assert (result.failure, result.imported) == (None, 1)
        tree.imported(block)
        check(db, high, missing)
        if part.fills and missing and high.head != top:
            assert filler.fill(encode([missing.pop()])) == (1, None)
            check(db, high, missing)
        if part.growth.restarts:
            importer = new_importer(db)
    if high.head != top:
        assert filler.fill(encode(missing[::-1])) == (len(missing), None)
        check_whole(db, high)
        check_goes_on(db, high)
