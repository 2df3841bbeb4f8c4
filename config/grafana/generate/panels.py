"""What the dashboards are put together from: queries, panels and the frame around them."""

from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="$datasource")
CHOSEN = 'job=~"$job", instance=~"$instance"'
GREEN, YELLOW, RED = "green", "orange", "red"
WIDTH = 24
"""Grafana's columns."""

Query = Tuple[str, str]
"""PromQL and the legend of what it gives."""
Step = Tuple[Optional[float], str]
"""From which value on (None: from the lowest) which colour."""

# ---- queries -------------------------------------------------------------------------------------


def of(name: str, *matchers: str) -> str:
    """A series of AutoVoice's, for the chosen job and instances."""
    return f"autovoice_{name}{{{', '.join([CHOSEN, *matchers])}}}"


def rate(name: str, by: str, *matchers: str) -> str:
    """A counter's growth a second, summed but for the labels ``by``."""
    return f"sum by ({by}) (rate({of(name, *matchers)}[$__rate_interval]))"


def quantiles(name: str, by: str = "", legend: str = "") -> List[Query]:
    """The median, the 95th and the 99th percentile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return [
        (
            f"histogram_quantile({share}, {rate(name + '_bucket', labels)})",
            f"{legend} {text}".strip(),
        )
        for share, text in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    ]


def quantile(share: float, name: str, by: str) -> str:
    """One percentile of a histogram, for each value of ``by``."""
    return f"histogram_quantile({share}, {rate(name + '_bucket', f'le, {by}')})"


# ---- panels --------------------------------------------------------------------------------------


def _targets(
    queries: Sequence[Query], form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> Iterator[prometheus.Dataquery]:
    for letter, (expr, legend) in zip("ABCDEFGH", queries):
        target = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter)
        yield target.datasource(SOURCE).format(form).range()


def _thresholds(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    made = [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int = 12,
    stacked: bool = False,
    most: Optional[float] = None,
    lines: Sequence[Step] = (),
) -> timeseries.Panel:
    """Lines over time; ``lines`` are thresholds drawn across."""
    legend = common.VizLegendOptions().display_mode(options.LegendDisplayMode.LIST)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .datasource(SOURCE)
        .targets(list(_targets(queries)))
        .legend(legend.placement(options.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        .span_nulls(False)
        .span(width)
        .height(8)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL)).fill_opacity(30)
    if most is not None:
        panel.max(most)
    if lines:
        style = common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
        panel.thresholds(_thresholds(lines)).thresholds_style(style)
    return panel


def figure(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    width: int = 4,
    colours: Sequence[Step] = ((None, GREEN),),
    named: bool = False,
) -> stat.Panel:
    """One large number, or one for each series; ``named``: with the series' names alone."""
    mode = options.BigValueTextMode.NAME if named else options.BigValueTextMode.AUTO
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .targets(list(_targets([query])))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(colours))
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(mode)
        .no_value("none")
        .span(width)
        .height(5)
    )


def heat(title: str, description: str, unit: str, name: str, *, width: int = 12) -> heatmap.Panel:
    """A histogram's buckets over time."""
    query = f"sum by (le) (increase({of(name + '_bucket')}[$__rate_interval]))"
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .targets(list(_targets([(query, "{{le}}")], PromQueryFormat.HEATMAP)))
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .exponent(0.5)
            .steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .cell_gap(1)
        .span(width)
        .height(8)
    )


def states(
    title: str,
    description: str,
    query: Query,
    words: Sequence[Tuple[str, str, str]],
    *,
    width: int = 12,
) -> statetimeline.Panel:
    """What was when; ``words``: value, text and colour."""
    mapping = {
        value: models.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, text, color) in enumerate(words)
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .unit("none")
        .datasource(SOURCE)
        .targets(list(_targets([query])))
        .mappings([models.ValueMap(options=mapping)])
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .legend(common.VizLegendOptions().show_legend(False))
        .merge_values(True)
        .span(width)
        .height(8)
    )


# ---- dashboards ----------------------------------------------------------------------------------

Row = Tuple[str, Sequence[object]]


def board(uid: str, title: str, description: str, rows: Sequence[Row]) -> dashboard.Dashboard:
    """A dashboard with the variables and links that all of them have."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["autovoice"])
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("AutoVoice")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["autovoice"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables():
        made.with_variable(variable)
    number = _counter()
    for name, panels in rows:
        made.with_row(dashboard.Row(name).id(number()))
        for panel in panels:
            made.with_panel(panel.id(number()))
    return made


def _counter() -> Callable[[], int]:
    numbers = iter(range(1, 1000))
    return lambda: next(numbers)


def _variables() -> Iterator[object]:
    yield dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    for name, label, query in (
        ("job", "Job", "label_values(autovoice_build_info, job)"),
        ("instance", "Instance", 'label_values(autovoice_build_info{job=~"$job"}, instance)'),
    ):
        yield (
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(SOURCE)
            .query(query)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .current(models.VariableOption(text="All", value="$__all", selected=True))
        )
