const charts = [...document.querySelectorAll("script[data-chart]")].map((source) => {
  const place = document.getElementById(source.dataset.chart);
  const { data, layout } = JSON.parse(source.textContent);
  Plotly.newPlot(place, data, layout, { responsive: true, displayModeBar: false, displaylogo: false });
  return place;
});

// Paper is narrower than a screen, and drawings do not follow by themselves.
function fit(className) {
  document.documentElement.className = className;
  for (const place of charts) Plotly.relayout(place, { width: place.clientWidth });
}
addEventListener("beforeprint", () => fit("printed"));
addEventListener("afterprint", () => {
  fit("");
  for (const place of charts) Plotly.relayout(place, { width: null, autosize: true });
});
