"""The chart of a simulation: the mails of each day by mail type, as an SVG that reads in light and in dark."""

from typing import Any

from nurture.played import Played, Simulation

# Okabe and Ito's colours: told apart by the colour-blind, and clear of both a white and a black page.
COLOURS = {
    "know_how": "#009e73", "event": "#e69f00", "case_study": "#56b4e9", "product_news": "#cc79a7",
    "download": "#d55e00",
}  # fmt: skip
STYLE = (
    "<style>svg{background:#fff;color-scheme:light dark}text{fill:#333}"
    ".mark-rule line{stroke:#999}"
    "@media(prefers-color-scheme:dark){svg{background:#16181d}text{fill:#d5d8de}"
    ".mark-rule line{stroke:#5a606b}}</style>"
)


def draw(simulation: Simulation, title: str) -> str:
    """Return an SVG: one row of bars for what stands, and one for what is changed."""
    import altair as alt
    import vl_convert

    rows = [("", simulation.in_force)]
    if simulation.changed is not None:
        rows = [("as it stands", simulation.in_force), ("changed", simulation.changed)]
    played = simulation.in_force
    days = [str(day["day"]) for day in played.days]
    data = [row for name, each in rows for row in _bars(name, each)]
    types = [name for name in COLOURS if any(row["type"] == name for row in data)]
    top = max((sum(row["mails"] for row in data if (row["day"], row["row"]) == key) for key in
               {(row["day"], row["row"]) for row in data}), default=1)  # fmt: skip
    panels = [
        alt.Chart(alt.Data(values=[row for row in data if row["row"] == name]), title=name)
        .mark_bar()
        .encode(
            x=alt.X("day:O", title=None, scale=alt.Scale(domain=days), axis=alt.Axis(labelExpr=_LABEL, labelAngle=-45)),
            y=alt.Y("sum(mails):Q", title="mails", scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "type:N", title=None,
                scale=alt.Scale(domain=types, range=[COLOURS[name] for name in types]), legend=alt.Legend(orient="top"),
            ),
        )
        .properties(width=max(14 * len(days), 320), height=180)
        for name, _ in rows
    ]  # fmt: skip
    headline = alt.TitleParams(f"{title}, {played.first} to {played.last}", anchor="start")
    chart = (
        alt.vconcat(*panels, title=headline)
        .configure(background="transparent", font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(gridOpacity=0.4)
    )
    svg: Any = vl_convert.vegalite_to_svg(chart.to_json())
    begin = svg.index(">") + 1
    return svg[:begin] + STYLE + svg[begin:]


_LABEL = "slice(datum.value, 5)"


def _bars(name: str, played: Played) -> list[dict[str, Any]]:
    return [
        {"row": name, "day": str(row["day"]), "type": row["mail_type"], "mails": row["mails"]} for row in played.mails
    ]
