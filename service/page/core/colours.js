// Colours of classes that nobody has given one: told apart on imagery, also by most who see fewer colours.

const COLOURS = ["#4cc9f0", "#f9c74f", "#f3722c", "#90be6d", "#f94144", "#b388eb", "#43aa8b", "#ff70a6", "#277da1", "#e9d8a6"];

/** Colour of class number `index` as #rrggbb. */
export function colourOf(index) {
  if (index < COLOURS.length) return COLOURS[index];
  const hue = (index * 137.508) % 360; // the golden angle: neighbours in the list lie far apart
  return hsl(hue, 0.65, index % 2 ? 0.6 : 0.45);
}

function hsl(hue, saturation, lightness) {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}
