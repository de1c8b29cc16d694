"use strict";
// The page's policy forbids style attributes and style sheets that it does not name. Plotly sets a few
// attributes, which the object model takes as well, and brings a style sheet for maps, which none here is.
(() => {
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
  Object.defineProperty(HTMLStyleElement.prototype, "textContent", { set() {} });
})();
