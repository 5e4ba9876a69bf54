// Heads of tables sort their lines: a click, or Enter on the focused head; again turns the order.
const number = text => {
  const found = text.replace(/^~/, "").replace(/,/g, "").match(/^[-+]?[\d.]+(e[-+]?\d+)?/i);
  return found ? Number(found[0]) : null;
};
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  return x !== null && y !== null ? x - y : a.localeCompare(b, undefined, {numeric: true});
};
for (const head of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const turned = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turned === 1 ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const text = line => line.children[head.cellIndex].textContent.trim();
    const [filled, empty] = [[], []];
    for (const line of body.rows) (text(line) ? filled : empty).push(line);
    filled.sort((one, two) => turned * compare(text(one), text(two)));
    body.append(...filled, ...empty);
  });
}
