"use strict";
(() => {
  const INK = "#1d2733";
  const GRID = "#e8ecee";
  const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, Arial, "DejaVu Sans", sans-serif';
  const HEIGHT = 380;
  const chosen = new Map();
  const known = new Map();

  const isNarrow = () => window.innerWidth < 700;
  const figureOf = (key) => {
    if (!known.has(key)) known.set(key, JSON.parse(document.getElementById("data-" + key).textContent));
    return known.get(key);
  };
  const isTime = (view) => view.x_title === "";
  const isLines = (view) => view.traces.every((trace) => trace.type === "scatter");

  const axis = (title, own) => ({
    title: { text: title, font: { size: 12 }, standoff: 8 },
    gridcolor: GRID, zerolinecolor: "#b9c2c8", linecolor: GRID, automargin: true, tickfont: { size: 11.5 },
    ticks: "outside", ticklen: 6, tickcolor: "rgba(0,0,0,0)", ...own,
  });

  // pictures side by side; on a narrow window one below the other
  const paned = (layout, panes) => {
    const gap = isNarrow() ? 0.08 : 0.1;
    const size = (1 - gap * (panes.length - 1)) / panes.length;
    const [x, y] = [layout.xaxis, layout.yaxis];
    layout.annotations = panes.map((text, k) => ({
      text, xref: "paper", yref: "paper", x: isNarrow() ? 0 : k * (size + gap), y: isNarrow() ? 1 - k * (size + gap) : 1,
      xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12 },
    }));
    panes.forEach((_, k) => {
      const own = k ? String(k + 1) : "";
      const begin = k * (size + gap);
      const [wide, tall] = isNarrow() ? [[0, 1], [1 - begin - size, 1 - begin]] : [[begin, begin + size], [0, 1]];
      const shared = k && !isNarrow() ? { matches: "y", showticklabels: false, title: { text: "" } } : {};
      layout["xaxis" + own] = { ...x, nticks: 5, domain: wide, anchor: "y" + own };
      layout["yaxis" + own] = { ...y, ...shared, domain: tall, anchor: "x" + own };
    });
    if (isNarrow()) layout.height = Math.min(1500, 1.7 * layout.height);
    return layout;
  };

  const layoutOf = (view) => {
    const own = view.layout;
    const map = view.traces.some((trace) => trace.type === "heatmap");
    const x = isTime(view) ? { type: "date", tickangle: 0, nticks: isNarrow() ? 4 : 10, ...(own.xaxis || {}) } : own.xaxis || {};
    const entries = view.traces.filter((trace) => trace.type !== "heatmap" && trace.showlegend !== false).length;
    // the buttons of a wide window stand above the figure, where a legend has room of its own
    const top = isNarrow() || (isLines(view) && entries > 1) ? 14 : 32;
    const named = isNarrow() && (map || (own.yaxis || {}).type === "category") ? "" : view.y_title;
    const layout = {
      height: HEIGHT + (isNarrow() ? 15 * Math.max(0, entries - 3) : 0), hovermode: isLines(view) && view.traces.length <= 14 ? "x unified" : "closest",
      dragmode: isNarrow() ? false : "zoom", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: FONT, size: 12, color: INK }, margin: { l: 56, r: 18, t: top, b: 30 },
      legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.03, yanchor: "bottom", font: { size: 11.5 } },
      hoverlabel: { font: { size: 12 } }, modebar: { bgcolor: "rgba(0,0,0,0)", color: "#a5afb6", activecolor: INK }, barmode: "group", bargap: 0.25,
      ...own,
      xaxis: axis(isTime(view) ? "" : view.x_title, { ...x, ...(map ? { showgrid: false } : {}) }),
      yaxis: axis(named, { ...(own.yaxis || {}), ...(map ? { showgrid: false } : {}) }),
    };
    return view.panes.length > 1 ? paned(layout, view.panes) : layout;
  };

  // plotly takes the middle of a heat map's cell, our data its beginning; a step lasts to its end
  const shown = (trace) => {
    const copy = structuredClone(trace);
    if (trace.type === "heatmap" && trace.dx) {
      copy.x0 = new Date(Date.parse(trace.x0 + "Z") + trace.dx / 2).toISOString().slice(0, 19);
    }
    if (trace.line && trace.line.shape === "hv") copy.y.push(copy.y.at(-1));
    if (trace.pane) [copy.xaxis, copy.yaxis] = ["x" + (trace.pane + 1), "y" + (trace.pane + 1)];
    delete copy.pane;
    return copy;
  };

  const draw = (key) => {
    const place = document.getElementById("plot-" + key);
    const view = figureOf(key).views[chosen.get(key) || 0];
    const picture = { filename: figureOf(key).file, format: "svg" };
    const config = {
      responsive: true, displaylogo: false, displayModeBar: isNarrow() ? false : "hover",
      // named one by one: plotly's own choice has a button that sends the chart to a server
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]], showSendToCloud: false, plotlyServerURL: "",
      toImageButtonOptions: picture,
    };
    const layout = layoutOf(view);
    place.style.height = layout.height + "px";
    place.style.minHeight = "0";
    place.dataset.state = "asked";
    Plotly.react(place, view.traces.map(shown), structuredClone(layout), config).then(
      () => { place.dataset.state = "drawn"; },
      (fault) => { place.dataset.state = "failed"; place.textContent = "This figure could not be drawn: " + fault; },
    );
  };

  const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const at = (trace, k) => {
    if (trace.x !== undefined) return trace.x[k];
    return new Date(Date.parse(trace.x0 + "Z") + k * trace.dx).toISOString().slice(0, 19);
  };
  const cells = (seen, trace) => {
    const view = seen.panes.length > 1 ? { ...seen, name: seen.name + ", " + seen.panes[trace.pane || 0] } : seen;
    if (trace.type === "heatmap") {
      const unit = trace.colorbar ? trace.colorbar.title.text : "count";
      return trace.z.flatMap((row, r) => row.map((z, k) => [view.name, trace.y[r], at(trace, k), z, unit]));
    }
    if (trace.orientation === "h") return trace.y.map((y, k) => [view.name, trace.name, y, trace.x[k], view.x_title]);
    return trace.y.map((y, k) => [view.name, trace.name, at(trace, k), y, view.y_title]);
  };
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : plain(String(value));
    return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  const csvOf = (key) => {
    const rows = figureOf(key).views.flatMap((view) => view.traces.flatMap((trace) => cells(view, trace)));
    return [["view", "series", "at", "value", "value_is"], ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  };
  const save = (key) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csvOf(key)], { type: "text/csv" }));
    link.download = figureOf(key).file + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const choose = (key, view) => {
    chosen.set(key, view);
    for (const button of document.querySelectorAll(`button[data-view][data-of="${key}"]`)) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.view) === view));
    }
    draw(key);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !button.dataset.of) return;
    if (button.dataset.view === undefined) save(button.dataset.of);
    else choose(button.dataset.of, Number(button.dataset.view));
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-of]")) choose(event.target.dataset.of, Number(event.target.value));
  });

  const places = document.querySelectorAll("[data-plot]");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target.dataset.plot);
    }
  }, { rootMargin: "300px 0px" });
  places.forEach((place) => seen.observe(place));
  window.addEventListener("beforeprint", () => {
    places.forEach((place) => { if (!place.dataset.state) draw(place.dataset.plot); });
  });
})();
