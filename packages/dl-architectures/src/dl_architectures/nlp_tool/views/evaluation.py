"""Evaluation: how good the tool is, by what people thought of its answers and how long these took."""

from typing import get_args

import altair as alt
import pandas as pd
import streamlit as st

from dl_architectures.nlp.names import TITLES
from dl_architectures.nlp_tool import drawing, evaluation, parts, resources
from dl_architectures.nlp_tool.feedback import FeedbackError

PERIODS: tuple[evaluation.Period, ...] = get_args(evaluation.Period)
PERCENT = st.column_config.NumberColumn(format="percent")
GREY = "#8a949e"  # seen on white and on black; what is drawn as a rule would be black in the dark too
IN_A_ROW = 3  # curves; on a phone they stand one below the other
SECONDS = st.column_config.NumberColumn(format="%.2f s")


def overview(answers: pd.DataFrame) -> None:
    """Four figures."""
    found = evaluation.overview(answers)
    with st.container(horizontal=True):
        st.metric("Answers", f"{found.answers:,}", border=True)
        st.metric("Rated", f"{found.rated:,}", border=True)
        st.metric(
            "Satisfied", "–" if found.satisfied is None else drawing.percent(found.satisfied), border=True,
            help=None if found.interval is None
            else f"95 % interval: {' to '.join(map(drawing.percent, found.interval))}",
        )  # fmt: skip
        median = "–" if found.median_seconds is None else drawing.duration(found.median_seconds)
        st.metric("Median time", median, border=True)
        st.metric("Failed", "–" if found.failed is None else drawing.percent(found.failed), border=True)


def curve(table: pd.DataFrame, name: str, across: alt.X) -> alt.LayerChart:
    """Shares of thumbs up over time with Wilson's intervals."""
    base = alt.Chart(table, title=alt.Title(name, anchor="start"), height=170).encode(x=across)
    bars = base.mark_rule(strokeWidth=3, color=GREY).encode(y=alt.Y("low").title(None), y2="high")
    tooltip = [alt.Tooltip("start:T"), alt.Tooltip("share", format=".0%"), alt.Tooltip("low", format=".0%"),
               alt.Tooltip("high", format=".0%"), "ratings"]  # fmt: skip
    points = base.mark_line(point=alt.OverlayMarkDef(size=50)).encode(
        y=alt.Y("share").axis(format="%", tickCount=3).scale(domain=[0, 1]), tooltip=tooltip
    )
    return bars + points


def over_time(answers: pd.DataFrame) -> None:
    """Satisfaction of each task or model, by day, week or month."""
    st.subheader("Satisfaction over time", anchor=False)
    with st.container(horizontal=True):
        period = st.segmented_control("Period", PERIODS, default="day", required=True, key="period",
                                      label_visibility="collapsed", format_func=str.capitalize)  # fmt: skip
        lines = st.segmented_control("Lines", ("task", "model"), default="task", required=True, key="lines",
                                     label_visibility="collapsed", format_func=lambda name: f"By {name}")  # fmt: skip
    each = lines or "task"
    table = evaluation.satisfaction_over_time(answers, period or "day", by=[each])
    starts = table["start"]
    across = alt.X("start:T").title(None).axis(format="%d %b", tickCount=min(starts.nunique(), 4))
    if starts.nunique() > 1:  # the same days in all of them
        across = across.scale(domain=[starts.min().isoformat(), starts.max().isoformat()])
    for number, (name, part) in enumerate(table.groupby(each)):
        if number % IN_A_ROW == 0:
            row = st.columns(IN_A_ROW)
        row[number % IN_A_ROW].altair_chart(curve(part, str(name), across))
    st.caption("Points: share of thumbs up. Bars: Wilson's 95 % interval, wide where few were asked.")


def by_model(answers: pd.DataFrame) -> None:
    """Satisfaction and latency of each task and model, in one table."""
    st.subheader("By task and model", anchor=False)
    timed, rated = evaluation.latency(answers), evaluation.satisfaction(answers)
    table = timed.merge(rated, how="left", on=["task", "model"]).drop(columns="up")
    st.dataframe(
        table[["task", "model", "answers", "ratings", "share", "low", "high", "median", "p95", "first", "failed"]],
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn("thumbs up", format="percent"),
            "low": st.column_config.NumberColumn("from", format="percent", help="Wilson's 95 % interval"),
            "high": st.column_config.NumberColumn("to", format="percent", help="Wilson's 95 % interval"),
            "median": st.column_config.NumberColumn("median time", format="%.2f s"),
            "p95": st.column_config.NumberColumn("95 of 100 within", format="%.2f s"),
            "first": st.column_config.NumberColumn("first piece", format="%.2f s", help="Median"),
            "failed": PERCENT,
        },
    )  # fmt: skip


def worst() -> None:
    """The newest answers that somebody found bad."""
    st.subheader("Worst answers", anchor=False)
    rows = list(resources.feedback().rated(newest=20, rating="down"))
    if not rows:
        st.success("No answer has thumbs down.", icon=":material/thumb_up:")
        return
    columns = ["created_at", "task", "model", "comment", "prompt", "answer", "seconds"]
    st.dataframe(
        pd.DataFrame(rows)[columns].replace({"task": TITLES}), hide_index=True,
        column_config={"created_at": st.column_config.DatetimeColumn("when (UTC)", format="YYYY-MM-DD HH:mm"),
                       "seconds": SECONDS},
    )  # fmt: skip


parts.heading("Evaluation", "How good the tool is: what people thought of its answers, and how long these took.")
try:
    answers = resources.feedback().answers()
    if answers.empty:
        st.info("Nothing was asked yet. Ask something, rate the answer, and come back.", icon=":material/monitoring:")
        st.stop()
    answers["task"] = answers["task"].replace(TITLES)
    overview(answers)
    if answers["rating"].notna().any():
        over_time(answers)
    else:
        st.info("No answer was rated yet. Below each there are two thumbs.", icon=":material/thumbs_up_down:")
    by_model(answers)
    worst()
except FeedbackError as error:
    st.error(drawing.label(str(error)), icon=":material/database_off:")
