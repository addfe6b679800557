'use strict';
(() => {
  const reports = JSON.parse(document.getElementById('reports').textContent);
  const colours = ['#2f7ed8', '#e07b00', '#2a9d6f', '#c2456f', '#8a6fd1', '#9a8b00', '#4bb0c8', '#8c8c8c'];
  const charts = [];

  const style = () => {
    const root = getComputedStyle(document.documentElement);
    return { text: root.getPropertyValue('--text').trim(), line: root.getPropertyValue('--line').trim() };
  };

  const draw = (canvas) => {
    const plot = reports[canvas.dataset.report].plots[canvas.dataset.plot];
    const { text, line } = style();
    const across = !plot.lines && plot.labels.length > 4;  // bars that lie leave room for their names
    const value = {
      title: { display: plot.y_title !== '', text: plot.y_title, color: text },
      type: plot.logarithmic ? 'logarithmic' : 'linear', beginAtZero: !plot.logarithmic,
      ticks: { color: text }, grid: { color: line },
    };
    const name = {
      title: { display: plot.x_title !== '', text: plot.x_title, color: text },
      ticks: { color: text, autoSkip: plot.lines }, grid: { display: false },
    };
    canvas.parentElement.style.height =
      across ? 70 + plot.labels.length * Math.max(26, 6 + 14 * plot.series.length) + 'px' : '340px';
    return new Chart(canvas, {
      type: plot.lines ? 'line' : 'bar',
      data: {
        labels: plot.labels,
        datasets: plot.series.map((series, index) => ({
          label: series.name, data: series.values, spanGaps: true, skipNull: true, maxBarThickness: 40, borderWidth: plot.lines ? 2 : 0,
          borderColor: colours[index % colours.length], backgroundColor: colours[index % colours.length],
        })),
      },
      options: {
        indexAxis: across ? 'y' : 'x', animation: false, maintainAspectRatio: false,
        scales: across ? { x: value, y: name } : { x: name, y: value },
        plugins: { legend: { display: plot.series.length > 1, labels: { color: text } } },
      },
    });
  };

  const draw_all = () => {
    while (charts.length > 0) charts.pop().destroy();
    for (const canvas of document.querySelectorAll('canvas')) {
      canvas.closest('figure').hidden = false;
      charts.push(draw(canvas));
    }
  };
  draw_all();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw_all);
})();
