"""Sources: where leads come from, and how a row is read."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nurture.definitions.model import Basis, MailType, Model, Name, hash_of
from nurture.definitions.products import Zone

Field_ = Literal[
    "last_name", "first_name", "full_name", "kana", "company", "department", "title", "email", "phone", "mobile",
    "postal_code", "address", "employees", "industry", "corporate_number", "crm_id", "crm_status", "owner", "product",
    "comment",
]  # fmt: skip


def _list(value: Any) -> Any:
    """Read one word or several; what YAML takes for a number or a truth is the word that a file holds."""
    listed = value if isinstance(value, list) else [value]
    return [str(word).lower() if isinstance(word, bool | int) else word for word in listed]


Words = Annotated[list[str], BeforeValidator(_list)]


class When(Model):
    """A column that says one of these words (compared without case, after width folding)."""

    column: str
    values: Words = Field(alias="is")


class Consent(Model):
    """On which legal basis a row's address may be mailed (特定電子メール法 第3条), and where the evidence stands."""

    basis: Basis
    evidence: str
    evidence_column: str | None = None
    when: When | None = None


class OptOut(Model):
    """What marks a refusal; of every product unless it names one, and of every mail type unless it names one."""

    when: When
    product: Name | None = None
    mail_type: MailType | None = None


class ProductSign(Model):
    """What shows which product a row is about, where no column names it."""

    product: Name
    when: When


class Happened(Model):
    """What a row says that its lead did: a form submitted, a seminar attended.

    Its product is the fixed one, else the one that the column names, else the first of `products` that shows.
    """

    type: Literal["submitted", "attended", "visited"]
    subject: str | None = None
    subject_column: str | None = None
    product: Name | None = None
    product_column: str | None = None
    products: list[ProductSign] = []
    when: When | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> "Happened":
        if (self.subject is None) == (self.subject_column is None):
            raise ValueError("an event needs subject or subject_column, one of the two")
        return self


class SourceDefinition(Model):
    """One source: the files or the query it comes in, its columns in our words, and what a row means.

    `key` names the column, or the columns together, that tell one row from another for ever; a row number is none.
    `date` names the column of the row's own time; a time without a zone is in `timezone`. A file must have every
    column that is named here but those in `optional` (a form leaves out what nobody filled in). `headings` says what
    else a column is called in some files (the export of another language). Of format sql are a `connection` of
    Airflow's, a `table` or a `query`, and `changed_since`, the column that says when a row was last changed. `crm` says
    whose ids are in `crm_id`, where several sources hold those of one CRM: the ids of two CRMs may be alike.
    """

    source: Name
    name: str
    format: Literal["csv", "xlsx", "jsonl", "sql"]
    files: Words = []
    encoding: Literal["utf-8", "cp932"] | None = None
    connection: Name | None = None
    table: str | None = None
    query: str | None = None
    changed_since: str | None = None
    channel: Literal["exhibition", "business_card", "web_form", "seminar", "crm"]
    crm: Name | None = None
    precedence: int = 3
    key: Words
    date: str | None = None
    timezone: Zone = "Asia/Tokyo"
    columns: dict[Field_, str]
    headings: dict[str, Words] = {}
    optional: Words = []
    first_touch: dict[
        Literal["keyword", "page", "form", "referrer", "utm_source", "utm_medium", "utm_campaign"], str
    ] = {}
    consent: Consent | None = None
    opt_out: OptOut | None = None
    event: Happened | None = None

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> "SourceDefinition":
        if self.format == "sql":
            if self.connection is None or (self.table is None) == (self.query is None):
                raise ValueError("a source of format sql needs a connection, and a table or a query")
            if self.files or self.encoding:
                raise ValueError("a source of format sql has no files and no encoding")
            return self
        for key in ("connection", "table", "query", "changed_since"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key} is for a source of format sql")
        if not self.files:
            raise ValueError("a source needs files: the names that its files have, as in crm_export*.csv")
        if self.encoding and self.format != "csv":
            raise ValueError("only a csv file has an encoding: an xlsx or jsonl file says its own")
        if self.headings and self.format == "jsonl":
            raise ValueError("headings are for csv, xlsx and sql: a jsonl file has keys")
        return self

    def reading_hash(self) -> str:
        """Return a hash of all that decides how a row is read: not of what the source is called or where it lies."""
        elsewhere = ("name", "files", "connection", "table", "query", "changed_since")
        return hash_of({key: value for key, value in self.body().items() if key not in elsewhere})

    def named_columns(self) -> list[str]:
        """Return every column that the definition names, once, in the order in which it names them."""
        named = [*self.key, self.date, *self.columns.values(), *self.first_touch.values()]
        if self.consent is not None:
            named += [self.consent.evidence_column, self.consent.when.column if self.consent.when else None]
        if self.opt_out is not None:
            named.append(self.opt_out.when.column)
        if self.event is not None:
            named += [self.event.subject_column, self.event.product_column]
            named += [self.event.when.column if self.event.when else None]
            named += [sign.when.column for sign in self.event.products]
        return list(dict.fromkeys(column for column in named if column is not None))
