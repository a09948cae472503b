"""Changed: a product as it would be with other files in its folder, checked like any other."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from nurture.definitions.load import load_product, load_shared
from nurture.definitions.products import Product
from nurture.definitions.yaml12 import NotReadable, read
from nurture.problem import Problem


def changed_product(root: Path, product: str, other: Path) -> Product:
    """Return a product with another folder in its folder's place, or with one other YAML file in it.

    A file takes the place of the scenario, or of the product.yaml, that it says it is. Raises `BrokenDefinition`, whose
    problems name files as if they lay in the product's folder, and `Problem` where `other` is neither.
    """
    with TemporaryDirectory() as place:
        include = Path(place) / "include"
        include.mkdir()
        for shared in root.iterdir():
            if shared.name != "products":
                (include / shared.name).symlink_to(shared)
        folder = include / "products" / product
        if other.is_dir():
            shutil.copytree(other, folder)
        else:
            shutil.copytree(root / "products" / product, folder)
            shutil.copyfile(other, folder / _place(other))
        return load_product(folder, load_shared(include))


def _place(file: Path) -> Path:
    """Return where a YAML file belongs in a product's folder, by what it says it is."""
    try:
        said = read(file.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise Problem(f"{file} is not there") from error
    except (NotReadable, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read: {error}") from error
    if isinstance(said, dict) and isinstance(said.get("scenario"), str):
        return Path("scenarios") / f"{said['scenario']}.yaml"
    if isinstance(said, dict) and "product" in said:
        return Path("product.yaml")
    raise Problem(f"{file} is neither a scenario nor a product.yaml: it begins with the key `scenario` or `product`")
