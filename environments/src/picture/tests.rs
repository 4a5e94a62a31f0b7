//! What pictures and animations promise.

use super::*;

/// One of every shape.
fn everything() -> Picture {
    let mut inner = Picture::new([0.0, 0.0], [1.0, 1.0]);
    inner.circle([0.5, 0.5], 2.0, Style::fill(Colour::GREEN));
    let mut picture = Picture::new([-1.0, -1.0], [3.0, 1.0]);
    picture.line([[-1.0, -0.5], [3.0, -0.5]], Style::line(Colour::GREY, 0.05).dashed(Dash::Dashed));
    picture.rectangle([-0.5, -0.5], [0.5, 0.0], Style::fill(Colour::BLUE).outlined(Colour::BLACK, 0.02));
    picture.rod([0.0, 0.0], [0.3, 0.8], 0.1, Style::fill(Colour::VERMILION).with_opacity(0.5));
    picture.circle([0.0, 0.0], 0.1, Style::fill(Colour::BLACK));
    picture.arrow([0.5, 0.5], [1.0, 0.5], 0.05, Colour::PURPLE);
    picture.text([0.0, -0.75], 0.2, "θ < π & \u{1}");
    picture.lettering([1.0, 0.0], "up", Lettering::new(0.2).turned(1.0).anchored(Anchor::End));
    picture.inset([2.0, -0.5], 1.0, inner);
    picture
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let picture = everything();
    let copy: Picture = postcard::from_bytes(&postcard::to_stdvec(&picture).unwrap()).unwrap();
    assert_eq!(copy, picture);
    assert_eq!(copy.svg(400.0).unwrap(), picture.svg(400.0).unwrap());
    assert_eq!(copy.png(400).unwrap(), picture.png(400).unwrap());
}

#[test]
fn svg_holds_every_shape_and_escapes_text() {
    let svg = everything().svg(400.0).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"400\" height=\"200\""),
        "{svg}"
    );
    assert!(
        svg.contains("points=\"0,150 400,150\" fill=\"none\" stroke=\"#969696\" stroke-width=\"5\""),
        "{svg}"
    );
    assert!(svg.contains("stroke-dasharray=\"20 10\""), "{svg}");
    assert!(svg.contains("fill-opacity=\"0.5\""), "{svg}");
    assert!(svg.contains("<circle cx=\"100\" cy=\"100\" r=\"10\" fill=\"#000000\"/>"), "{svg}");
    assert!(svg.contains(">θ &lt; π &amp; ?</text>"), "{svg}");
    assert!(svg.contains("<svg x=\"300\" y=\"50\" width=\"100\" height=\"100\">"), "{svg}");
}

#[test]
fn pixels_are_where_the_world_says() {
    let pixels = everything().pixels(400).unwrap();
    let at = |x: u32, y: u32| pixels.pixel(x, y).map(|p| (p.red(), p.green(), p.blue())).unwrap();
    assert_eq!((pixels.width(), pixels.height()), (400, 200));
    assert_eq!(at(60, 140), (0, 114, 178), "inside the rectangle");
    assert_eq!(at(100, 100), (0, 0, 0), "the axle, drawn last");
    assert_eq!(at(5, 5), (255, 255, 255), "background");
    assert_eq!(at(305, 55), (0, 158, 115), "the inset's circle reaches beyond the inset");
    assert_eq!(at(295, 100), (255, 255, 255), "and is cut off at its edge");
}

#[test]
fn text_is_centred_on_its_point() {
    let mut picture = Picture::new([0.0, 0.0], [1.0, 1.0]);
    picture.text([0.5, 0.5], 0.8, "H");
    let pixels = picture.pixels(200).unwrap();
    let ink: Vec<_> = (0..200 * 200).filter(|&i| pixels.pixels()[i].red() < 128).collect();
    let off_centre =
        |values: Vec<usize>| (values.iter().min().unwrap() + values.iter().max().unwrap()).abs_diff(199);
    assert!(off_centre(ink.iter().map(|i| i % 200).collect()) <= 1);
    assert!(off_centre(ink.iter().map(|i| i / 200).collect()) <= 1);
}

#[test]
fn a_number_that_cannot_be_drawn_is_named() {
    let message = |draw: fn(&mut Picture)| {
        let mut picture = everything();
        let first = picture.shapes.len();
        draw(&mut picture);
        let error = picture.svg(100.0).unwrap_err();
        assert_eq!(error.to_string(), picture.png(100).unwrap_err().to_string());
        error.to_string().replace(&first.to_string(), "N")
    };
    assert_eq!(
        message(|p| p.line([[0.0, f64::NAN]], Style::fill(Colour::BLUE))),
        "a coordinate of shape N of the picture is NaN"
    );
    assert_eq!(
        message(|p| p.circle([0.0, 0.0], -1.0, Style::fill(Colour::BLUE))),
        "the radius of shape N of the picture is -1"
    );
    assert_eq!(
        message(|p| p.text([0.0, 0.0], f64::INFINITY, "x")),
        "the font size of shape N of the picture is inf"
    );
}

#[test]
fn a_size_that_cannot_be_drawn_is_an_error() {
    assert!(matches!(everything().png(0), Err(PictureError::ImageSize { .. })));
    assert!(matches!(everything().png(100_000), Err(PictureError::ImageSize { .. })));
    assert!(matches!(everything().svg(f64::NAN), Err(PictureError::ImageSize { .. })));
    assert!(matches!(Picture::new([0.0, 0.0], [0.0, 1.0]).svg(10.0), Err(PictureError::EmptyView { .. })));
    assert!(matches!(
        Picture::new([0.0, 0.0], [1.0, f64::INFINITY]).png(10),
        Err(PictureError::EmptyView { .. })
    ));
}

#[test]
fn extreme_shapes_do_not_panic() {
    let mut picture = Picture::new([0.0, 0.0], [1.0, 1.0]);
    picture.line([], Style::line(Colour::BLACK, 0.1));
    picture.line([[0.5, 0.5]], Style::line(Colour::BLACK, 0.1));
    picture.polygon([], Style::fill(Colour::BLACK));
    picture.line([[-1e300, 0.0], [1e300, 0.0]], Style::line(Colour::BLACK, 0.1).dashed(Dash::Dotted));
    picture.circle([0.0, 0.0], 1e300, Style::fill(Colour::BLACK));
    picture.circle([0.0, 0.0], 0.0, Style::fill(Colour::BLACK));
    picture.arrow([0.0, 0.0], [0.0, 0.0], 0.1, Colour::BLACK);
    picture.text([0.0, 0.0], 0.0, "");
    picture.inset([0.0, 0.0], 0.0, everything());
    picture.inset([0.0, 0.0], 1e300, everything());
    picture.png(50).unwrap();
    picture.svg(50.0).unwrap();
}

#[test]
fn a_print_notes_its_resolution() {
    let bytes = everything().png_for_print(2.0, 300).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (600, 300));
    assert_eq!(reader.info().pixel_dims.unwrap().xppu, 11_811);
}

#[test]
fn a_strip_reads_like_text() {
    let strip = Picture::strip(&vec![everything(); 5], 3).unwrap();
    assert_eq!(strip.shapes.len(), 5);
    let corner = |i: usize| match strip.shapes[i] {
        Shape::Inset { at, .. } => at,
        _ => panic!("not an inset"),
    };
    assert!(corner(0)[0] < corner(1)[0] && corner(0)[1] == corner(1)[1]);
    assert!(corner(3)[0] == corner(0)[0] && corner(3)[1] < corner(0)[1]);
    assert!((strip.width() - 3.06 * 4.0).abs() < 1e-9);
    strip.png(300).unwrap();
    assert!(matches!(Picture::strip(&[], 3), Err(PictureError::NoFrames)));
    assert!(matches!(Picture::strip(&[everything()], 0), Err(PictureError::NoFrames)));
}

/// A dot that moves to the right, one frame in each tenth of the world.
fn moving(frames: u32, interval: f64) -> Animation {
    let mut animation = Animation::new(interval);
    for i in 0..frames {
        let mut frame = Picture::new([0.0, 0.0], [2.0, 1.0]);
        frame.circle([0.1 * f64::from(i), 0.5], 0.1, Style::fill(Colour::BLUE));
        animation.push(frame);
    }
    animation
}

/// The delays of a GIF's frames, and the image that remains after the last.
fn decode(bytes: &[u8]) -> (Vec<u16>, Vec<[u8; 3]>) {
    let mut decoder = gif::DecodeOptions::new().read_info(bytes).unwrap();
    let mut screen = vec![[0; 3]; usize::from(decoder.width()) * usize::from(decoder.height())];
    let (width, mut delays) = (usize::from(decoder.width()), Vec::new());
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        delays.push(frame.delay);
        let palette = frame.palette.as_ref().unwrap();
        for (i, &index) in frame.buffer.iter().enumerate() {
            let (x, y) = (i % usize::from(frame.width), i / usize::from(frame.width));
            let at = (y + usize::from(frame.top)) * width + x + usize::from(frame.left);
            screen[at].copy_from_slice(&palette[3 * usize::from(index)..][..3]);
        }
    }
    (delays, screen)
}

#[test]
fn a_gif_ends_in_the_last_frame() {
    let animation = moving(12, 0.05);
    let (delays, screen) = decode(&animation.gif(120).unwrap());
    assert_eq!(delays, vec![5; 12]);
    let last = animation.frames[11].pixels(120).unwrap();
    let expected: Vec<_> = last.pixels().iter().map(|p| [p.red(), p.green(), p.blue()]).collect();
    assert_eq!(screen, expected);
    assert_eq!(animation.gif(120).unwrap(), animation.gif(120).unwrap());
}

#[test]
fn a_gif_keeps_the_time() {
    // 1/30 s is not a whole number of hundredths; together 15 frames still take half a second.
    let (delays, _) = decode(&moving(15, 1.0 / 30.0).gif(60).unwrap());
    assert_eq!((delays.len(), delays.iter().sum::<u16>()), (15, 50));
    // 100 frames a second are more than viewers show: every other one is left out.
    let (delays, _) = decode(&moving(20, 0.01).gif(60).unwrap());
    assert_eq!(delays, vec![2; 10]);
    // A picture that does not change is stored once.
    let still = Animation { interval: 0.5, frames: vec![everything(); 4] };
    assert_eq!(decode(&still.gif(60).unwrap()).0, vec![200]);
}

#[test]
fn more_than_256_colours_lose_only_their_last_bits() {
    let mut picture = Picture::new([0.0, 0.0], [40.0, 30.0]);
    for i in 0..1200u32 {
        let (x, y) = (f64::from(i % 40), f64::from(i / 40));
        let colour = Colour::new((i % 40 * 6) as u8, (i / 40 * 8) as u8, 100);
        picture.rectangle([x, y], [x + 1.0, y + 1.0], Style::fill(colour));
    }
    let animation = Animation { interval: 0.1, frames: vec![picture.clone()] };
    let (_, screen) = decode(&animation.gif(40).unwrap());
    for (shown, exact) in screen.iter().zip(picture.pixels(40).unwrap().pixels()) {
        assert!(shown[0].abs_diff(exact.red()) < 16 && shown[1].abs_diff(exact.green()) < 16);
    }
}

#[test]
fn an_animation_that_cannot_be_written_is_an_error() {
    assert!(matches!(Animation::new(0.1).gif(60), Err(PictureError::NoFrames)));
    assert!(matches!(moving(2, 0.0).gif(60), Err(PictureError::Interval { .. })));
    assert!(matches!(moving(2, f64::NAN).gif(60), Err(PictureError::Interval { .. })));
    let mut uneven = moving(2, 0.1);
    uneven.push(Picture::new([0.0, 0.0], [1.0, 1.0]));
    assert!(matches!(uneven.gif(60), Err(PictureError::FrameSize { frame: 2, given: 60, expected: 30 })));
}

#[test]
fn frames_are_numbered_files() {
    let folder = std::env::temp_dir().join(format!("assay-frames-{}", std::process::id()));
    let paths = moving(3, 0.1).write_frames(&folder, 40).unwrap();
    assert_eq!(paths[2].file_name().unwrap(), "frame-00002.png");
    assert!(paths.iter().all(|path| path.exists()));
    let error = moving(3, 0.1).write_frames(&paths[0], 40).unwrap_err();
    assert!(error.to_string().starts_with("cannot write"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}
