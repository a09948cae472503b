"""Names: what a template asks for exists, all of it found in one reading, before anything is rendered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from nurture.definitions.nearest import instead
from nurture.definitions.products import Product
from nurture.emails import CONTEXT, VALUES, environment, parsed
from nurture.proofread.finding import Finding, Source


def unknown(product: Product, email: str, files: list[Source]) -> list[Finding]:
    """Return every name that nothing gives, in the email's own files and in the layout."""
    blocks = [each.block for each in product.emails[email].terms.blocks]
    found: list[Finding] = []
    asked: set[str] = set()
    for source in files:
        jinja = environment(product, escape=source.is_mjml)  # as it is rendered with: it is parsed once for both
        try:
            names = _Names.of(jinja, source.text)
        except jinja2.TemplateSyntaxError as error:
            found.append(Finding(source.part, error.message or "not readable", error.lineno))
            continue
        found += _templates(names, source, jinja, product.layout)
        found += _free_names(names, source)
        found += _filters(names, source, jinja)
        aliases = _aliases(names, jinja, product.layout)
        for node in names.attributes:
            if isinstance(node.node, nodes.Name) and node.node.name == "shown":
                asked.add(node.attr)
            if message := _attribute(node, product, blocks if not source.is_layout else None, aliases):
                found.append(Finding(source.part, message, node.lineno))
    for index, block in enumerate(blocks):
        if block not in asked:
            message = f"nothing shows the block {block!r}: write {{% if shown.{block} %}} … {{% endif %}} in the mjml"
            found.append(Finding("yaml", message, path=("blocks", index, "block")))
    return found


@dataclass
class _Names:
    """What a template speaks of, gathered in one walk through its syntax tree."""

    templates: list[nodes.Extends | nodes.Import | nodes.FromImport | nodes.Include] = field(default_factory=list)
    blocks: list[nodes.Block] = field(default_factory=list)
    attributes: list[nodes.Getattr] = field(default_factory=list)
    filters: list[nodes.Filter | nodes.Test] = field(default_factory=list)
    asked: list[nodes.Name] = field(default_factory=list)
    given: set[str] = field(default_factory=lambda: {*CONTEXT, "super", "self", "caller", "varargs", "kwargs"})
    offered: list[str] = field(default_factory=list)

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, jinja: jinja2.Environment, text: str) -> "_Names":
        """Read a template; raises `TemplateSyntaxError`."""
        tree = parsed(jinja, text)
        names = cls()
        names.given |= set(jinja.globals)
        ahead: list[nodes.Node] = [tree]
        while ahead:
            node = ahead.pop()
            names._take(node)
            for name in node.fields:  # what iter_child_nodes does, in half its time
                child = getattr(node, name, None)
                if isinstance(child, nodes.Node):
                    ahead.append(child)
                elif isinstance(child, list):
                    ahead += [each for each in child if isinstance(each, nodes.Node)]
        for node in tree.body:
            if isinstance(node, nodes.Macro):
                names.offered.append(node.name)
            elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
                names.offered.append(node.target.name)
        return names

    def _take(self, node: nodes.Node) -> None:
        match node:
            case nodes.Extends() | nodes.Import() | nodes.FromImport() | nodes.Include():
                self.templates.append(node)
                if isinstance(node, nodes.Import):
                    self.given.add(node.target)
                elif isinstance(node, nodes.FromImport):
                    self.given |= {name if isinstance(name, str) else name[1] for name in node.names}
            case nodes.Block():
                self.blocks.append(node)
            case nodes.Getattr():
                self.attributes.append(node)
            case nodes.Filter() | nodes.Test():
                self.filters.append(node)
            case nodes.Macro():
                self.given.add(node.name)
            case nodes.Name(ctx="load"):
                self.asked.append(node)
            case nodes.Name():
                self.given.add(node.name)
            case _:
                pass


def _templates(
    names: _Names, source: Source, jinja: jinja2.Environment, layout: Mapping[str, str]
) -> Iterator[Finding]:
    """Find layout files that are not there, and blocks that the frame does not have: their words would be lost."""
    for node in names.templates:
        named = node.template
        if not isinstance(named, nodes.Const):
            continue
        if named.value not in layout:
            mend = instead(str(named.value), sorted(layout))
            yield Finding(source.part, f"there is no layout/{named.value}: {mend}", node.lineno)
        elif isinstance(node, nodes.Extends):
            frame = [block.name for block in _Names.of(jinja, layout[named.value]).blocks]
            for block in names.blocks:
                if block.name not in frame:
                    message = f"layout/{named.value} has no block {block.name!r}: {instead(block.name, frame)}"
                    yield Finding(source.part, message, block.lineno)


def _free_names(names: _Names, source: Source) -> Iterator[Finding]:
    for node in names.asked:
        if node.name not in names.given:
            yield Finding(source.part, f"unknown name {node.name!r}: {instead(node.name, CONTEXT)}", node.lineno)


def _filters(names: _Names, source: Source, jinja: jinja2.Environment) -> Iterator[Finding]:
    for node in names.filters:
        kind, known = ("filter", jinja.filters) if isinstance(node, nodes.Filter) else ("test", jinja.tests)
        if node.name not in known:
            yield Finding(
                source.part, f"unknown {kind} {node.name!r}: {instead(node.name, sorted(known))}", node.lineno
            )


def _aliases(names: _Names, jinja: jinja2.Environment, layout: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what each imported layout file offers, by the name that it was given."""
    return {
        node.target: _Names.of(jinja, layout[node.template.value]).offered
        for node in names.templates
        if isinstance(node, nodes.Import) and isinstance(node.template, nodes.Const) and node.template.value in layout
    }


def _attribute(
    node: nodes.Getattr, product: Product, blocks: list[str] | None, aliases: Mapping[str, list[str]]
) -> str | None:
    """Return what is wrong with one `name.attribute`; `blocks` is None in a layout, which serves any email."""
    path, root = _path(node)
    if root == "lead" and len(path) == 1 and path[0] not in VALUES:
        return f"unknown value lead.{path[0]}: {instead(path[0], VALUES)}"
    if root == "shown" and blocks is not None and path[0] not in blocks:
        return f"unknown block shown.{path[0]}: {instead(path[0], blocks) if blocks else 'the email has no blocks'}"
    if root == "product":
        return _of_product(product, path)
    if root in aliases and len(path) == 1 and path[0] not in aliases[root]:
        return f"unknown piece {root}.{path[0]}: {instead(path[0], aliases[root])}"
    return None


def _of_product(product: Product, path: list[str]) -> str | None:
    """Walk what stands in product.yaml; only the last name of the path is judged, the others are nodes of their own."""
    here: Any = product
    for step in path[:-1]:
        here = here.get(step) if isinstance(here, Mapping) else getattr(here, step, None)
    if here is None or (path[-1] in here if isinstance(here, Mapping) else hasattr(here, path[-1])):
        return None
    fields = getattr(type(here), "model_fields", {})
    known = list(here) if isinstance(here, Mapping) else [name for name in fields if not fields[name].exclude]
    return f"unknown name {'.'.join(['product', *path])}: {instead(path[-1], known)}"


def _path(node: nodes.Getattr) -> tuple[list[str], str]:
    """Return the attributes of a chain and the name at its root ('' when it is no name)."""
    path: list[str] = []
    here: nodes.Node = node
    while isinstance(here, nodes.Getattr):
        path.insert(0, here.attr)
        here = here.node
    return path, here.name if isinstance(here, nodes.Name) else ""
