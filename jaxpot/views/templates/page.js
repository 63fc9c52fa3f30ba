"use strict";
// Draws every chart of the page from the JSON beside it. `ast` has Vega walk its expressions
// rather than compile them, so that the page's policy can forbid making code of text.
const options = { mode: "vega-lite", ast: true, actions: false, renderer: "svg" };

async function draw(place) {
  const source = document.getElementById(place.dataset.chart);
  try {
    await vegaEmbed(place, JSON.parse(source.textContent), options);
    place.dataset.drawn = "yes";
  } catch (error) {
    place.dataset.drawn = "failed";
    place.textContent = `This chart could not be drawn: ${error}`;
  }
}

async function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]")) await draw(place);
  document.documentElement.dataset.drawn = "yes";
}

addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
drawAll();
