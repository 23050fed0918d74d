// Texts to try. Screen readers use `lang`.

export const EXAMPLES = [
  { name: "Doctor's note", lang: "en", text: "Dr. Paris saw Will Brown in Austin on 3 May 2024; E11.9 was coded, metformin 500 mg, and Chase billed $1,250.40, 12% more." },
  { name: "News", lang: "en", text: "Maria Lindqvist, who runs Northlight Robotics in Gothenburg, will open a second plant near Rotterdam in March.\nThe 48 million euros come from Harbour Bank, she told Radio Delta on Tuesday." },
  { name: "Chat 👩🏽‍🚀🇨🇭", lang: "en", text: "omg 😂 just saw Ana 👩🏽‍🚀 and José at Café Zürich 🇨🇭!! told them about the new Pixel 9 👍🏽 meet u in Berlin tmrw" },
  { name: "Deutsch", lang: "de", text: "Jürgen Groß traf am 7. Juni in Köln die Leiterin der Müller & Söhne GmbH, Frau Dr. Özge Yıldız." },
  { name: "Combining e\u0301", lang: "fr", text: "Zoe\u0308 Lefe\u0300vre et Franc\u0327ois Me\u0301ne\u0301trier quittent Saint-E\u0301tienne pour Montre\u0301al avec Air Bore\u0301al." },
  { name: "Tiếng Việt", lang: "vi", text: "Nguyễn Thị Hạnh làm việc ở Hà Nội cho công ty Sao Mai từ tháng 5." },
  { name: "עברית", lang: "he", text: "נועה כהן פגשה את David Miller בתל אביב ב-3 במאי 2024, ושם עבדה חברת Blue Cedar עם בנק הגליל." },
  { name: "العربية", lang: "ar", text: "سافرت ليلى حداد من بيروت إلى London يوم 12 مارس لتعمل في شركة النجمة." },
  { name: "日本語", lang: "ja", text: "田中葵さんは大阪から京都へ引っ越し、青空電機で働いています。" },
  { name: "हिन्दी", lang: "hi", text: "प्रिया शर्मा सोमवार को मुंबई से दिल्ली गईं और सूरज बैंक में मिलीं।" },
];
