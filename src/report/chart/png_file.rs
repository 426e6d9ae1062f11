//! A drawing as a small PNG: finely drawn RGB pixels flow in, an averaged picture with a palette flows out as a file.
//!
//! A palette makes the file a third as large; colours beyond it, which are a few mixed ones at edges, become their neighbours.

use std::collections::HashMap;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter, PixelDimensions, Unit};

use super::pen::DOTS_PER_PX;

/// Pixels for each px of the page, so that it is sharp on fine screens and in print.
const PIXELS_PER_PX: u32 = 2;
/// It is drawn so much finer and then averaged, since plotters does not smooth thick lines.
const OVERSAMPLING: usize = (DOTS_PER_PX / PIXELS_PER_PX) as usize;
/// 96 px an inch, as CSS has it.
const PX_PER_METRE: f64 = 96.0 / 0.0254;
/// Values of a pixel.
pub(crate) const CHANNELS: usize = 3;
const MOST_COLOURS: usize = 256;

type Colour = [u8; CHANNELS];

/// The file. `width` and `height` are those of the fine pixels.
pub(crate) fn encode(fine: &[u8], width: u32, height: u32) -> Result<Vec<u8>, EncodingError> {
    let pixels = averaged(fine, width as usize, height as usize);
    let (palette, indices) = indexed(&pixels);
    let side = OVERSAMPLING as u32;
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width / side, height / side);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(Compression::Balanced);
    // Differences of indices mean nothing.
    encoder.set_filter(Filter::NoFilter);
    let per_metre = (PX_PER_METRE * f64::from(PIXELS_PER_PX)).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(file)
}

/// The mean of each square of fine pixels.
fn averaged(fine: &[u8], fine_width: usize, fine_height: usize) -> Vec<Colour> {
    let (width, height) = (fine_width / OVERSAMPLING, fine_height / OVERSAMPLING);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let square = OVERSAMPLING * OVERSAMPLING;
    let mean = |x: usize, y: usize, channel: usize| {
        let corner = (y * OVERSAMPLING * fine_width + x * OVERSAMPLING) * CHANNELS + channel;
        let inside = |i: usize| (i / OVERSAMPLING * fine_width + i % OVERSAMPLING) * CHANNELS;
        let sum: usize = (0..square).map(|i| usize::from(fine[corner + inside(i)])).sum();
        ((sum + square / 2) / square) as u8
    };
    places.map(|(x, y)| [0, 1, 2].map(|channel| mean(x, y, channel))).collect()
}

/// The most common colours, and for each pixel the nearest of them.
fn indexed(pixels: &[Colour]) -> (Vec<Colour>, Vec<u8>) {
    let mut counts: HashMap<Colour, usize> = HashMap::new();
    for pixel in pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<(Colour, usize)> = counts.into_iter().collect();
    // By colour where they are equally common, so that one drawing is always one file.
    colours.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let palette: Vec<Colour> = colours.iter().take(MOST_COLOURS).map(|(colour, _)| *colour).collect();
    let nearest: HashMap<Colour, u8> =
        colours.iter().map(|(colour, _)| (*colour, nearest(&palette, *colour))).collect();
    let indices = pixels.iter().map(|pixel| nearest[pixel]).collect();
    (palette, indices)
}

fn nearest(palette: &[Colour], colour: Colour) -> u8 {
    let distance = |other: &Colour| -> u32 {
        other.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let found = palette.iter().enumerate().min_by_key(|(_, other)| distance(other));
    found.map_or(0, |(index, _)| index as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_the_means_of_their_squares() {
        assert_eq!(OVERSAMPLING, 2);
        let (black, white) = ([0; CHANNELS], [u8::MAX; CHANNELS]);
        let rows = [[black, white, white, white], [white, black, white, white]];
        assert_eq!(averaged(&rows.concat().concat(), 4, 2), [[128; CHANNELS], white]);
    }

    #[test]
    fn colours_beyond_the_palette_become_their_neighbours() {
        let mut pixels: Vec<Colour> = (0..=u8::MAX).flat_map(|value| [[value, 0, 0]; 2]).collect();
        pixels.push([7, 1, 0]);
        let (palette, indices) = indexed(&pixels);
        assert_eq!(palette.len(), MOST_COLOURS);
        assert_eq!(palette[usize::from(indices[512])], [7, 0, 0]);
        assert!(
            pixels[..512].iter().zip(&indices).all(|(pixel, index)| palette[usize::from(*index)] == *pixel)
        );
    }
}
