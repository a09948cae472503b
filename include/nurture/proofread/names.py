"""Names: what a template asks for exists, all of it found in one reading, before anything is rendered."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from nurture.definitions.nearest import instead
from nurture.definitions.products import Product
from nurture.emails import CONTEXT, VALUES, environment
from nurture.proofread.finding import Finding, Source


def unknown(product: Product, email: str, files: list[Source]) -> list[Finding]:
    """Return every name that nothing gives, in the email's own files and in the layout."""
    jinja = environment(product, escape=False)
    blocks = [each.block for each in product.emails[email].terms.blocks]
    found: list[Finding] = []
    asked: set[str] = set()
    for source in files:
        try:
            tree = _parse(jinja, source.text)
        except jinja2.TemplateSyntaxError as error:
            found.append(Finding(source.part, _said(error.message or "", jinja), error.lineno))
            continue
        found += _templates(tree, source, jinja, product.layout)
        found += _free_names(tree, source, jinja)
        aliases = _aliases(tree, jinja, product.layout)
        for node in tree.find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == "shown":
                asked.add(node.attr)
            if message := _attribute(node, product, blocks if not source.is_layout else None, aliases):
                found.append(Finding(source.part, message, node.lineno))
    for index, block in enumerate(blocks):
        if block not in asked:
            message = f"nothing shows the block {block!r}: write {{% if shown.{block} %}} … {{% endif %}} in the mjml"
            found.append(Finding("yaml", message, path=("blocks", index, "block")))
    return found


@lru_cache(maxsize=64)
def _parse(jinja: jinja2.Environment, text: str) -> nodes.Template:
    """Read a template, and refuse what only compiling finds (filters, tests)."""
    jinja.compile(text)
    return jinja.parse(text)


def _said(message: str, jinja: jinja2.Environment) -> str:
    for kind, known in (("filter", jinja.filters), ("test", jinja.tests)):
        if message.startswith(f"No {kind} named "):
            name = message.split("'")[1]
            return f"unknown {kind} {name!r}: {instead(name, sorted(known))}"
    return message


def _templates(
    tree: nodes.Template, source: Source, jinja: jinja2.Environment, layout: Mapping[str, str]
) -> Iterator[Finding]:
    """Find layout files that are not there, and blocks that the frame does not have: their words would be lost."""
    for node in tree.find_all((nodes.Extends, nodes.Import, nodes.FromImport, nodes.Include)):
        named = node.template
        if not isinstance(named, nodes.Const):
            continue
        if named.value not in layout:
            mend = instead(str(named.value), sorted(layout))
            yield Finding(source.part, f"there is no layout/{named.value}: {mend}", node.lineno)
        elif isinstance(node, nodes.Extends):
            frame = [block.name for block in _parse(jinja, layout[named.value]).find_all(nodes.Block)]
            for block in tree.find_all(nodes.Block):
                if block.name not in frame:
                    message = f"layout/{named.value} has no block {block.name!r}: {instead(block.name, frame)}"
                    yield Finding(source.part, message, block.lineno)


def _free_names(tree: nodes.Template, source: Source, jinja: jinja2.Environment) -> Iterator[Finding]:
    given = {*CONTEXT, *jinja.globals, "super", "self", "caller"}
    for node in tree.find_all((nodes.Import, nodes.Macro, nodes.Name)):
        if isinstance(node, nodes.Name):
            given |= {node.name} if node.ctx != "load" else set()
        else:
            given.add(node.target if isinstance(node, nodes.Import) else node.name)
    free = meta.find_undeclared_variables(tree) - given
    for node in tree.find_all(nodes.Name):
        if node.name in free:
            yield Finding(source.part, f"unknown name {node.name!r}: {instead(node.name, CONTEXT)}", node.lineno)


def _aliases(tree: nodes.Template, jinja: jinja2.Environment, layout: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what each imported layout file offers, by the name that it was given."""
    return {
        node.target: _offered(_parse(jinja, layout[node.template.value]))
        for node in tree.find_all(nodes.Import)
        if isinstance(node.template, nodes.Const) and node.template.value in layout
    }


def _offered(tree: nodes.Template) -> list[str]:
    macros = [node.name for node in tree.body if isinstance(node, nodes.Macro)]
    sets = [
        node.target.name for node in tree.body if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name)
    ]
    return macros + sets


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
